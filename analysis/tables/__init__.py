"""Tables as text: data in, text out."""
