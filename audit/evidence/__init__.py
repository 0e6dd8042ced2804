"""The measures applied to an audit."""
