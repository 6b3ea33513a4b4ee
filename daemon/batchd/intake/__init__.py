"""From a dropped file to a claim: found, whole, taken. Nothing here reads what is in it."""
