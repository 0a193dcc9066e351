//go:build tools

// Package prometheus pins the modules Prometheus is built from: Debian's is without consul_sd.
package prometheus

import _ "github.com/prometheus/prometheus/cmd/prometheus"
