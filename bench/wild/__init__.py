"""The encoder where people use it: any fields, hard pairs, texts, skills, 21 languages."""
