-- How often a draft is rejected at a slot, of the rounds that reached it.
SELECT
    trials.label,
    positions.slot,
    count(*) AS reached,
    sum(CASE WHEN positions.outcome = 'rejected' THEN 1 ELSE 0 END) AS rejected,
    avg(CASE WHEN positions.outcome = 'rejected' THEN 1.0 ELSE 0.0 END) AS hazard
FROM read_parquet('positions.parquet') AS positions
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = positions.trial_id AND trials.mode = 'live'
WHERE positions.outcome IN ('accepted', 'rejected')
GROUP BY trials.label, positions.slot
ORDER BY trials.label, positions.slot;
