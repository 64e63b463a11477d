"""One call, from "what I want" to a value or a typed error."""
