"""The dashboard: Textual lives here and nowhere else.

A thread (`feed`) reads and diagnoses, and posts one frozen `snapshot`; plain functions turn a snapshot into lines of
styled text (`charts`, `heatmap`, `run_header`, `findings_list`, …) and know nothing of Textual; thin widgets show those
lines.
"""
