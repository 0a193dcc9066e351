//go:build tools

// Package etcd pins the modules today's etcd is built from.
package etcd

import _ "go.etcd.io/etcd/server/v3"
