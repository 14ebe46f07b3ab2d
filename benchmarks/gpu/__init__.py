"""Everything of Frostline that computes on a card, once, and what it costs there (`make gpu`)."""
