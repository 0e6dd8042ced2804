"""Photographs of a pool that fill an audit's orders: of the right class, and in the state of every cue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.config import Config, load_config
from audit.data.dataset import Dataset, load_dataset
from audit.data.outputs import Inputs, require_new_folder, require_table
from audit.data.photo_file import content_digest
from audit.errors import AuditFolderError, ConfigError
from audit.plan.picking.fits import Classes, Images, in_state, pick_each_once, ranked
from audit.plan.picking.guesses import guess
from audit.plan.picking.picked_json import FilledOrder, Picked, PickedPhoto, read_picked
from audit.plan.picking.pool import Pool, folders_of_no_class, read_pool
from audit.plan.picking.told_cues import State, Teller, untold
from audit.plan.picking.write_picked import copy_photographs, table_of
from audit.plan.plan_json import CueState, Order, Plan
from audit.progress import note
from audit.store.audit_folder import AuditFolder, read_record, write_record, write_text
from audit.text import at_most_ten, enumerated, percent

# The beginning of the page that shows what was picked; a file that has it may be replaced.
PAGE_MARK = '<meta name="generator" content="bias-audit pick'


def pick(folder: AuditFolder, source: Path, out: Path, copy_to: Path | None = None) -> Picked:
    """Pick the photographs of a pool that fill the orders of an audit's plan; write them to the table ``out``.

    ``source`` is a folder, or a CSV file with the columns path and label. The record is ``picked/picked.json`` in the
    audit; with ``copy_to`` the photographs are also copied there, one subfolder per class. The class of a photograph
    in no subfolder called like a class is guessed by the audit's models. Answers about photographs are kept, so that
    an interrupted picking goes on where it stopped.

    Raises AuditFolderError for an unfinished audit or one of an older version, ConfigError where there is no order
    that a pool can fill, DatasetError as ``read_pool``, OutputError where ``out`` or ``copy_to`` may not be written,
    and what looking at photographs raises.
    """
    folder.require_finished()
    with folder.locked():
        before = read_picked(folder)
        _require_places(folder, source, out, copy_to, before)
        config, dataset = load_config(folder.config), load_dataset(folder)
        orders = orders_of(read_record(folder.plan / "plan.json", Plan))
        teller = Teller.of(folder, config)
        unfillable = _unfillable(teller, orders)
        if len(unfillable) == len(orders):
            orders = _with_told(orders, teller)
        pool = read_pool(source, folder, dataset, config)
        _require_places(folder, source, out, copy_to, before, pool)
        filling = _Filling.of(folder, config, dataset, pool, teller, _without(orders, unfillable))
        picked = _record(pool, out, copy_to, orders, filling, unfillable, before)
        formats = {image.path: image.format for image in pool.images}
        if copy_to is not None:
            copy_photographs(picked, formats, copy_to, config)
        subjects = {image.path: image.subject for image in pool.images}
        table = table_of(picked, config.dataset.group, subjects)
        # Recorded first: an interrupted picking may leave the table, which the next one must know as its own.
        tables = dict.fromkeys([*picked.tables, content_digest(table.encode())])
        picked = picked.model_copy(update={"tables": tuple(tables)})
        write_record(folder.picked / "picked.json", picked)
        write_text(out, table)
    return picked


def page_beside(out: Path) -> Path:
    """Where the page that shows a table's photographs is written."""
    return out.with_suffix(".html")


def orders_of(plan: Plan) -> dict[int, Order]:
    """The orders of a plan that ask for photographs, by their place in it.

    Raises ConfigError where there are none, and AuditFolderError for a plan of an older version.
    """
    ways = plan.ways
    orders = {number: order for number, order in enumerate(ways.collect.cells if ways else ()) if order.ask}
    if not orders:
        raise ConfigError("This audit's plan orders no photographs, so that there is nothing to pick.")
    if any(order.cues is None for order in orders.values()):
        raise AuditFolderError("This audit is of an older version of bias-audit, whose orders say less: run it again.")
    return orders


def _unfillable(teller: Teller, orders: Mapping[int, Order]) -> dict[int, str]:
    """Why no pool can fill some of the orders; each is told."""
    unfillable = untold(teller, {number: [one.cue for one in order.cues or ()] for number, order in orders.items()})
    for number, reason in unfillable.items():
        note(f"No pool can fill the order “{orders[number].label}” {orders[number].state}: {reason}.")
    return unfillable


def _with_told(orders: Mapping[int, Order], teller: Teller) -> dict[int, Order]:
    """The orders, and behind them the same without the cues that cannot be told, those that are then alike as one.

    Raises ConfigError where nothing of them can be told.
    """
    alike: dict[tuple[str, tuple[CueState, ...]], list[Order]] = {}
    for order in orders.values():
        told = tuple(one for one in order.cues or () if not teller.why_not(one.cue))
        alike.setdefault((order.label, told), []).append(order)
    if not all(told for _, told in alike):
        raise ConfigError("No order of this audit's plan can be filled from a pool; collect as the report says.")
    note("Photographs are picked for these orders as far as the rest of what they ask for goes.")
    merged = [_merged(told, some) for (_, told), some in alike.items()]
    return {**orders, **dict(enumerate(merged, max(orders) + 1))}


def _merged(told: Sequence[CueState], orders: Sequence[Order]) -> Order:
    """One order for all photographs of some that ask for the same class, in a state of fewer cues."""
    words = sorted((one.words for one in told), key=lambda one: one.startswith("without "))
    have, need, add, ask = (sum(getattr(one, name) for one in orders) for name in ("have", "need", "add", "ask"))
    return orders[0].model_copy(
        update={"cues": tuple(told), "state": enumerated(words), "have": have, "need": need, "add": add, "ask": ask}
    )


def _require_places(
    folder: AuditFolder, source: Path, out: Path, copy_to: Path | None, before: Picked | None, pool: Pool | None = None
) -> None:
    inputs = Inputs.of_audit(folder)
    inputs = inputs.with_folder(source) if source.is_dir() else inputs.with_file(source)
    for image in pool.images if pool else ():
        inputs = inputs.with_file(image.file.path)
    require_table(out, inputs, before.tables if before else (), page_beside(out), PAGE_MARK)
    if copy_to is not None:
        require_new_folder(copy_to, inputs, "--copy-to")


def _without(orders: Mapping[int, Order], left_out: Mapping[int, str]) -> dict[int, Order]:
    return {number: order for number, order in orders.items() if number not in left_out}


@dataclass(frozen=True)
class _Filling:
    """What is known of a pool's photographs, the ranking of each order's, and what was picked of it."""

    pool: Pool
    states: Mapping[str, State]
    classes: Classes
    rankings: Mapping[int, Images]
    chosen: Mapping[int, Images]

    @classmethod
    def of(
        cls,
        folder: AuditFolder,
        config: Config,
        dataset: Dataset,
        pool: Pool,
        teller: Teller,
        orders: Mapping[int, Order],
    ) -> "_Filling":
        names = {one.cue for order in orders.values() for one in order.cues or ()}
        states = teller.states(names, pool, dataset)
        wanted = np.logical_or.reduce([in_state(order, states) for order in orders.values()])
        classes = _classes(folder, config, dataset, pool, wanted, states)
        places = {name: label for label, name in enumerate(dataset.classes)}
        rankings = [ranked(order, places[order.label], states, classes) for order in orders.values()]
        chosen = pick_each_once(rankings, [order.ask or 0 for order in orders.values()])
        return cls(
            pool,
            states,
            classes,
            dict(zip(orders, rankings, strict=True)),
            dict(zip(orders, chosen, strict=True)),
        )

    def photographs(self, number: int, order: Order) -> Iterator[PickedPhoto]:
        """What was picked for an order, the surest first."""
        for rank, image in enumerate(self.chosen[number].tolist(), 1):
            guessed = bool(self.classes.guessed[image])
            figures = {name: getattr(self.classes, name)[image] for name in ("probability", "said")}
            probability = {name: round(float(value), 4) for name, value in figures.items()} if guessed else {}
            photo = self.pool.images[image]
            yield PickedPhoto(
                path=photo.path,
                sha256=photo.file.sha256,
                rank=rank,
                reasons=tuple(self._reasons(order, image)),
                **probability,
            )

    def _reasons(self, order: Order, image: int) -> Iterator[str]:
        if self.classes.guessed[image]:
            sure, said = (percent(shares[image]) for shares in (self.classes.probability, self.classes.said))
            yield f"guessed to be {order.label}, to be checked ({sure}; the models alone say {said})"
        else:
            yield f"said to be {order.label}"
        for cue in order.cues or ():
            yield f"{cue.words} ({self.states[cue.cue].words(image)})"


def _classes(
    folder: AuditFolder,
    config: Config,
    dataset: Dataset,
    pool: Pool,
    wanted: NDArray[np.bool_],
    states: Mapping[str, State],
) -> Classes:
    """The class of every photograph that is in the state of some order: as its folder or row says, else guessed."""
    places = {name: label for label, name in enumerate(dataset.classes)}
    labels = np.array([places.get(image.label, -1) for image in pool.images], np.int64)
    unknown = np.flatnonzero((labels < 0) & wanted)
    probability, said = np.ones(len(labels)), np.ones(len(labels))
    if len(unknown):
        _tell_guessed(pool)
        cues = list(states)
        shown = np.stack([states[name].present[unknown] for name in cues], axis=1)
        guesses = guess(folder, config, [pool.images[image] for image in unknown.tolist()], cues, shown)
        labels[unknown] = guesses.corrected.argmax(1)
        probability[unknown] = guesses.corrected.max(1)
        said[unknown] = guesses.said[np.arange(len(unknown)), labels[unknown]]
    guessed = np.zeros(len(labels), bool)
    guessed[unknown] = True
    return Classes(labels, guessed, probability, said)


def _tell_guessed(pool: Pool) -> None:
    if names := folders_of_no_class(pool):
        note(
            f"No class of the audit is called {at_most_ten(map(repr, names))}: the class of what lies there is guessed."
        )


def _record(
    pool: Pool,
    out: Path,
    copy_to: Path | None,
    orders: Mapping[int, Order],
    filling: _Filling,
    unfillable: Mapping[int, str],
    before: Picked | None,
) -> Picked:
    pools: Sequence[str] = before.pools if before else ()
    labelled = sum(bool(image.label) for image in pool.images)
    return Picked(
        pool=str(pool.root),
        files=pool.files,
        labelled=labelled,
        guessed=len(pool.images) - labelled,
        copies=pool.copies,
        refused=pool.refused,
        orders=tuple(
            FilledOrder(
                label=order.label,
                state=order.state,
                ask=order.ask or 0,
                fitting=0 if number in unfillable else len(filling.rankings[number]),
                photographs=() if number in unfillable else tuple(filling.photographs(number, order)),
                **({"unfillable": unfillable[number]} if number in unfillable else {}),
            )
            for number, order in orders.items()
        ),
        table=str(out.absolute()),
        **({"copied_to": str(copy_to.absolute())} if copy_to else {}),
        pools=tuple(dict.fromkeys([*pools, str(pool.root)])),
        tables=before.tables if before else (),
    )
