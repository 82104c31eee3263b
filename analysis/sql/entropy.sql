-- Acceptance by Shannon entropy in decades of nats, and the point-biserial correlation of each entropy.
SELECT
    trials.label,
    floor(log10(greatest(positions.shannon_nats, 1e-6))) AS decade,
    count(*) AS tested,
    avg(CASE WHEN positions.outcome = 'accepted' THEN 1.0 ELSE 0.0 END) AS accepted
FROM read_parquet('positions.parquet') AS positions
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = positions.trial_id AND trials.mode = 'live'
WHERE positions.outcome IN ('accepted', 'rejected') AND positions.shannon_nats IS NOT NULL
GROUP BY trials.label, floor(log10(greatest(positions.shannon_nats, 1e-6)))
ORDER BY trials.label, decade;

SELECT
    trials.label,
    corr(positions.shannon_nats, CASE WHEN positions.outcome = 'accepted' THEN 1.0 ELSE 0.0 END) AS shannon,
    corr(positions.renyi_2_nats, CASE WHEN positions.outcome = 'accepted' THEN 1.0 ELSE 0.0 END) AS renyi_2,
    corr(positions.tsallis_2, CASE WHEN positions.outcome = 'accepted' THEN 1.0 ELSE 0.0 END) AS tsallis_2,
    corr(positions.topk_10_nats, CASE WHEN positions.outcome = 'accepted' THEN 1.0 ELSE 0.0 END) AS topk_10,
    corr(positions.min_nats, CASE WHEN positions.outcome = 'accepted' THEN 1.0 ELSE 0.0 END) AS min,
    corr(positions.varentropy_nats2, CASE WHEN positions.outcome = 'accepted' THEN 1.0 ELSE 0.0 END) AS varentropy
FROM read_parquet('positions.parquet') AS positions
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = positions.trial_id AND trials.mode = 'live'
WHERE positions.outcome IN ('accepted', 'rejected') AND positions.shannon_nats IS NOT NULL
GROUP BY trials.label
ORDER BY trials.label;
