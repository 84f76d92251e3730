"""The five attributes of a pair: taxonomy, offline classifier and LLM labelling (spec 3)."""
