"""What attached files really are: by name, by content, and by what lies inside them."""
