"""What train_speed.py, score_speed.py and best_of_n.py share: data, contenders in processes of their own, arithmetic, tables."""
