-- Rejections that cost most: what stood before, what was drafted, what the verifier wrote instead.
SELECT
    trials.label,
    positions.text_before,
    positions.text AS drafted,
    positions.verifier_text AS verifier,
    positions.entropy_nats,
    rounds.draft_len - rounds.accepted AS wasted_tokens
FROM read_parquet('positions.parquet') AS positions
JOIN read_parquet('rounds.parquet') AS rounds
    ON rounds.trial_id = positions.trial_id AND rounds.prompt = positions.prompt
    AND rounds.round = positions.round
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = positions.trial_id AND trials.mode = 'live'
WHERE positions.outcome = 'rejected'
ORDER BY wasted_tokens DESC, positions.entropy_nats
LIMIT 50;
