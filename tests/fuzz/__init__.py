"""Whatever a stranger sends: no session raises, hangs or tells of its inside. See docs/development.md."""
