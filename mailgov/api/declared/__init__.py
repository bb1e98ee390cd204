"""Bodies of what people say, because no server can count it."""
