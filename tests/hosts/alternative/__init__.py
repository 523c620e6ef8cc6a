"""Nearly every variable has another value than its default. Programs of this scenario's plays."""
