"""What is shown of declared objects: plain values."""
