"""Questions over what came in: evidence, draft, gate, checked answer or refusal."""
