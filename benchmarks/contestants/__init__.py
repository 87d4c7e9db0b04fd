"""What is measured. Each is a program that reads all there is and prints what that took, as one line of JSON."""
