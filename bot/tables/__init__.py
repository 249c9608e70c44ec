"""What is stored, one file per thing: frozen rows and the few statements that read and change them."""
