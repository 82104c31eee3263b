-- For each category the fastest lossless trial, with what it accepts and scores.
SELECT category, label, n_prompts, speedup, speedup_low, speedup_high, acceptance_rate, score
FROM (
    SELECT
        categories.*,
        row_number() OVER (PARTITION BY categories.category ORDER BY categories.speedup DESC) AS place
    FROM read_parquet('categories.parquet') AS categories
    JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = categories.trial_id AND trials.mode = 'live'
    WHERE trials.is_lossless AND categories.speedup IS NOT NULL
) AS ranked
WHERE place = 1
ORDER BY category;
