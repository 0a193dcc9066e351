//go:build tools

// Package runc pins the runc that today's Docker Engine starts.
package runc

import _ "github.com/opencontainers/runc"
