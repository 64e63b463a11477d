"""What is read of a recruiter's file: format, encoding and rows, each certain or asked for."""
