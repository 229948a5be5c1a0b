"""Durable background work: a job is a row, written in the transaction of the data it belongs to."""
