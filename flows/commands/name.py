"""``bias-audit name``: words of one's own for what the audit could only number."""

from typing import Annotated

import typer

from flows.commands.arguments import FinishedAudit
from flows.outcome import told_errors


def name(
    audit: FinishedAudit,
    cue: Annotated[str, typer.Argument(help="A look or a cluster, by its name in the audit: hair-look-1, cluster-3.")],
    words: Annotated[str, typer.Argument(help="What it is, as it should stand in a sentence.")],
    by: Annotated[str, typer.Option(help="Who says so; it is shown beside the name.")] = "",
) -> None:
    """Give a look or a cluster a name, and write audit.json and the report with it.

    Later audits of the same photographs take the name over for the look or cluster that has most of them.

    [bold]Examples[/bold]

    bias-audit name audits/photos-20260102-030405 hair-look-1 "tied-back hair" --by "A. Reviewer"

    bias-audit name audits/photos-20260102-030405 cluster-3 "a brick wall"
    """
    with told_errors():
        from audit import Audit
        from audit.progress import reporting_to
        from flows.run import name_cue
        from flows.terminal import reporter, say, short

        with reporter(quiet=False) as listener, reporting_to(listener):
            given = name_cue(audit, cue, words, by)
        say(f"{given.cue} is now “{given.words}”; it was “{given.own_words}”.")
        say(short(Audit.open(audit).report_path))
