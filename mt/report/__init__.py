"""What people read: reports, cards, review pages, charts."""
