"""One penalty's whole path of strengths."""
