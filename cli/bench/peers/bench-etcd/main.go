// Command bench-etcd is the etcd server, unchanged, as drp-bench starts it.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
