/** What is wrong with one machine and with what runs on it, and until when. */

import type { Agenda } from "./agenda.ts";
import type { Fault } from "./faults.ts";
import type { MachineTime } from "./life.ts";
import type { Disk } from "./storage.ts";

export type Ailment = Extract<Fault, { kind: "newer" | "unruly" | "clock-jump" | "slow-disk" | "disk-full" }>;

export class Ailments {
  readonly #agenda: Agenda;
  readonly #machine: MachineTime;
  readonly #disk: Disk;
  #slowUntilUs = 0;
  #newerUntilUs = 0;
  #unrulyUntilUs = 0;

  constructor(agenda: Agenda, machine: MachineTime, disk: Disk) {
    this.#agenda = agenda;
    this.#machine = machine;
    this.#disk = disk;
  }

  get isSlow(): boolean {
    return this.#agenda.nowUs < this.#slowUntilUs;
  }

  /** It speaks a later version. */
  get isNewer(): boolean {
    return this.#agenda.nowUs < this.#newerUntilUs;
  }

  get isUnruly(): boolean {
    return this.#agenda.nowUs < this.#unrulyUntilUs;
  }

  hurt(fault: Ailment, untilUs: number): void {
    switch (fault.kind) {
      case "newer":
        this.#newerUntilUs = untilUs;
        return;
      case "unruly":
        this.#unrulyUntilUs = untilUs;
        return;
      case "slow-disk":
        this.#slowUntilUs = untilUs;
        return;
      case "clock-jump":
        this.#agenda.at(untilUs, this.#machine.jump(fault.byMs));
        return;
      case "disk-full":
        this.#disk.isFull = true;
        this.#agenda.at(untilUs, () => {
          this.#disk.isFull = false;
        });
        return;
      default:
        throw new Error(`Bug: no such fault ${String(fault satisfies never)}`);
    }
  }

  /** A clock that was set wrong is set right. A later version is nothing wrong. */
  heal(): void {
    const { nowUs } = this.#agenda;
    this.#slowUntilUs = nowUs;
    this.#unrulyUntilUs = nowUs;
    this.#disk.isFull = false;
    this.#machine.setRight();
  }
}
