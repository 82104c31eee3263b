-- Quantiles of the time of a round, and of a token as its share of the round that committed it.
WITH tokens AS (
    SELECT trial_id, wall_ns / committed AS token_ns, unnest(range(committed)) AS place
    FROM 'rounds.parquet'
    WHERE wall_ns > 0 AND committed > 0
)
SELECT
    trials.label,
    quantile_cont(tokens.token_ns, 0.5) / 1e6 AS token_p50_ms,
    quantile_cont(tokens.token_ns, 0.9) / 1e6 AS token_p90_ms,
    quantile_cont(tokens.token_ns, 0.99) / 1e6 AS token_p99_ms
FROM tokens
JOIN 'trials.parquet' AS trials ON trials.trial_id = tokens.trial_id AND trials.mode = 'live'
GROUP BY trials.label
ORDER BY token_p50_ms;

SELECT
    trials.label,
    count(*) AS rounds,
    quantile_cont(rounds.wall_ns, 0.5) / 1e6 AS round_p50_ms,
    quantile_cont(rounds.wall_ns, 0.9) / 1e6 AS round_p90_ms,
    quantile_cont(rounds.wall_ns, 0.99) / 1e6 AS round_p99_ms
FROM 'rounds.parquet' AS rounds
JOIN 'trials.parquet' AS trials ON trials.trial_id = rounds.trial_id AND trials.mode = 'live'
WHERE rounds.wall_ns > 0
GROUP BY trials.label
ORDER BY round_p50_ms;
