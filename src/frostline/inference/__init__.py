"""Use a trained run: rebuild its network, evaluate, predict, explain, measure its cost, export."""
