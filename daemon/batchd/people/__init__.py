"""What people read in their own language: the catalogue of sentences, and how numbers, amounts and times are written.

Holds no rule about jobs, and touches nothing outside.
"""
