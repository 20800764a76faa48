/**
 * The filter for system calls of a sandbox, as the kernel takes it: a program of classic BPF, eight bytes an instruction.
 *
 * It refuses what no build needs and what breaks out of sandboxes have needed: namespaces and mounts of one's own, kernel
 * keyrings, loading code into the kernel, io_uring, typing into a terminal, and sockets of families that a network
 * namespace does not hold (a virtual machine's host is reached by one of them). All else is allowed: namespaces, dropped
 * capabilities and `no_new_privs` are what holds; this is for when one of them has a hole.
 *
 * @source Linux, Documentation/userspace-api/seccomp_filter.rst; arch/x86/entry/syscalls/syscall_64.tbl;
 * include/uapi/asm-generic/unistd.h.
 */

const load = 0x20;
const jumpEqual = 0x15;
const jumpAtLeast = 0x35;
const jumpAnySet = 0x45;
const answer = 0x06;

const allowed = 0x7fff0000;
const refused = 0x00050000;
const notPermitted = 1;
const noSuchCall = 38;
const noSuchFamily = 97;

const numberAt = 0;
const architectureAt = 4;
const argumentAt = (index: number): number => 16 + 8 * index;

const newUserNamespace = 0x10000000;
const typeIntoTerminal = 0x5412;
const pasteIntoConsole = 0x541c;
/** Unix, IPv4, IPv6, netlink. */
const families = [1, 2, 10, 16];
/** Calls of the 32-bit pointer interface on x86-64 have this bit, and would pass by their other numbers. */
const x32Bit = 0x40000000;

type Calls = {
  readonly architecture: number;
  readonly clone: number;
  readonly ioctl: number;
  readonly socket: number;
  /** Namespaces and mounts, keyrings, loading code, machine-wide settings, in the order of their names below. */
  readonly never: readonly number[];
};

/** The same on every architecture: io_uring; open_tree to fspick; mount_setattr. */
const everywhere = [425, 426, 427, 428, 429, 430, 431, 432, 433, 442];
const clone3 = 435;

/**
 * In order: unshare setns mount umount2 pivot_root chroot; add_key request_key keyctl; bpf perf_event_open userfaultfd
 * kexec_load kexec_file_load init_module finit_module delete_module open_by_handle_at; quotactl swapon swapoff reboot
 * settimeofday clock_settime acct syslog.
 */
const callsOf: Readonly<Record<string, Calls>> = {
  x64: {
    architecture: 0xc000003e,
    clone: 56,
    ioctl: 16,
    socket: 41,
    never: [
      272, 308, 165, 166, 155, 161, 248, 249, 250, 321, 298, 323, 246, 320, 175, 313, 176, 304, 179, 167, 168,
      169, 164, 227, 163, 103,
    ],
  },
  arm64: {
    architecture: 0xc00000b7,
    clone: 220,
    ioctl: 29,
    socket: 198,
    never: [
      97, 268, 40, 39, 41, 51, 217, 218, 219, 280, 241, 282, 104, 294, 105, 273, 106, 265, 60, 224, 225, 142,
      170, 112, 89, 116,
    ],
  },
};

/** The filter for programs of this architecture (as Node names it), or null where none is known. */
export function systemCallFilter(architecture: string): Buffer | null {
  const calls = callsOf[architecture];
  if (calls === undefined) return null;
  const { never, clone, ioctl, socket } = calls;
  const program = new Program();
  program.say(load, architectureAt);
  // Programs of another architecture have other numbers: none of them runs.
  program.say(jumpEqual, calls.architecture, { no: 0, yes: 1 });
  program.say(answer, refused | notPermitted);
  program.say(load, numberAt);
  program.say(jumpAtLeast, x32Bit, { yes: 0, no: 1 });
  program.say(answer, refused | noSuchCall);
  // The C library falls back to `clone`, whose flags can be seen.
  program.refuseCall(clone3, noSuchCall);
  for (const call of [...never, ...everywhere]) program.refuseCall(call, notPermitted);
  program.refuseCallWhen(clone, 0, [[jumpAnySet, newUserNamespace]]);
  program.refuseCallWhen(ioctl, 1, [
    [jumpEqual, typeIntoTerminal],
    [jumpEqual, pasteIntoConsole],
  ]);
  program.allowCallOnlyWhen(socket, 0, families);
  program.say(answer, allowed);
  return program.bytes();
}

class Program {
  readonly #instructions: Buffer[] = [];

  /** The jumps say how many instructions are passed over. */
  say(
    code: number,
    value: number,
    jumps: { readonly yes: number; readonly no: number } = { yes: 0, no: 0 },
  ): void {
    const instruction = Buffer.alloc(8);
    instruction.writeUInt16LE(code, 0);
    instruction.writeUInt8(jumps.yes, 2);
    instruction.writeUInt8(jumps.no, 3);
    instruction.writeUInt32LE(value >>> 0, 4);
    this.#instructions.push(instruction);
  }

  refuseCall(call: number, error: number): void {
    this.say(jumpEqual, call, { yes: 0, no: 1 });
    this.say(answer, refused | error);
  }

  /** The low half of an argument is looked at: flags and requests have no other. */
  refuseCallWhen(
    call: number,
    argument: number,
    tests: readonly (readonly [code: number, value: number])[],
  ): void {
    this.say(jumpEqual, call, { yes: 0, no: 2 + 2 * tests.length });
    this.say(load, argumentAt(argument));
    for (const [code, value] of tests) {
      this.say(code, value, { yes: 0, no: 1 });
      this.say(answer, refused | notPermitted);
    }
    this.say(answer, allowed);
  }

  allowCallOnlyWhen(call: number, argument: number, values: readonly number[]): void {
    this.say(jumpEqual, call, { yes: 0, no: 2 + 2 * values.length });
    this.say(load, argumentAt(argument));
    for (const value of values) {
      this.say(jumpEqual, value, { yes: 0, no: 1 });
      this.say(answer, allowed);
    }
    this.say(answer, refused | noSuchFamily);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#instructions);
  }
}
