"""HTTP on ``twisted.web``: one site for all that is served over it. It knows no broker and no tongue."""
