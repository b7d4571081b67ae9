"""How good is it? Every figure with its n and a 95 % interval."""
