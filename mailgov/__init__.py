"""mailgov: a provincial mail relay that holds mail to the law and measures its use."""

__version__ = "0.1.0"
