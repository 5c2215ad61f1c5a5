// "f_type" of statfs(2): NFS, SMB, CIFS, SMB2, AFS, Coda, Ceph, Lustre, GFS2, OCFS2, GPFS, 9P, FUSE.
const networkTypes: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x73757245, 0x00c36400, 0x0bd00bd0, 0x01161970, 0x7461636f,
  0x47504653, 0x01021997, 0x65735546,
])

// Btrfs, ZFS, bcachefs, F2FS, NILFS.
const copyingTypes: ReadonlySet<number> = new Set([0x9123683e, 0x2fc12fc1, 0xca451a4e, 0xf2f52010, 0x3434])

/** Whether the file system lies on another machine, or may. */
export function isNetworkType(type: number): boolean {
  return networkTypes.has(type)
}

/** Whether a write into what was filled before needs no room of its own, as far as the type tells. */
export function isWrittenInPlace(type: number): boolean {
  return !copyingTypes.has(type)
}
