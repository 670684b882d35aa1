"""The drawn world: small pictures, and the captions that go with them, made by rule."""
