"""The dashboard. Textual lives here and nowhere else, and of this package only in `app`, `screens` and `widgets`.

A thread (`feed`) reads and diagnoses, and posts one frozen `snapshot`; plain functions turn a snapshot into lines of
styled text (`charts`, `heatmap`, `run_header`, `findings_list`, …), and thin widgets show those lines.
"""
