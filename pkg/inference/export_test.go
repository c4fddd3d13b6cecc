package inference

import "time"

// DetectBudget is what Detect takes at most in tests, on machines that are busy besides.
const DetectBudget = 3 * time.Second

func init() { detectBudget = DetectBudget }
