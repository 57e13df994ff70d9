// Regular expressions that always end soon. The browser's own try one way after the other, which for
// some expressions takes for ever ((a+)+$); these follow all ways at once, as the server's do, so
// that the time grows with the text only. They are read in the browser's words, without references
// back and without look-around but for the start and the end of the text.

export interface Matcher {
  test(s: string): boolean;
}

// A Step is one thing that may come next: a character, a place, two ways to go on, or the end.
type Step =
  | { takes: (c: string) => boolean; next: number }
  | { at: (s: string, i: number) => boolean; next: number }
  | { either: number; or: number }
  | 'found';

// A Build puts the steps of a part before what comes next, and yields the first of them.
type Build = (next: number) => number;

const most = 5000; // steps

/** linear reads an expression that new RegExp(source, flags) takes. */
export function linear(source: string, flags: string): Matcher {
  const steps: Step[] = ['found'];
  const put = (step: Step): number => {
    if (steps.length >= most) throw new Error('the expression is too large');
    return steps.push(step) - 1;
  };
  const reader = new Reader(source, put, steps);
  return matcher(steps, reader.all(flags)(0));
}

class Reader {
  private at = 0;
  private readonly source: string;
  private readonly put: (step: Step) => number;
  private readonly steps: Step[];

  constructor(source: string, put: (step: Step) => number, steps: Step[]) {
    this.source = source;
    this.put = put;
    this.steps = steps;
  }

  /** All alternatives up to a ) or the end. */
  all(flags: string): Build {
    const ways = [this.sequence(flags)];
    while (this.source[this.at] === '|') {
      this.at++;
      ways.push(this.sequence(flags));
    }
    return (next) => ways.map((way) => way(next)).reduceRight((or, either) => this.put({ either, or }));
  }

  private sequence(flags: string): Build {
    const parts: Build[] = [];
    while (this.at < this.source.length && !'|)'.includes(this.source[this.at]!)) parts.push(this.repeated(this.part(flags)));
    return (next) => parts.reduceRight((after, part) => part(after), next);
  }

  private take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.at;
    const found = expression.exec(this.source);
    if (found) this.at += found[0].length;
    return found;
  }

  private repeated(part: Build): Build {
    const sign = this.take(/(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y);
    if (!sign) return part;
    const low = sign[1] ? (sign[1] === '+' ? 1 : 0) : Number(sign[2]);
    const high = sign[1] ? (sign[1] === '?' ? 1 : Infinity) : sign[3] ? (sign[4] ? Number(sign[4]) : Infinity) : low;
    return (next) => {
      let first = high === Infinity ? this.loop(part, next) : next;
      for (let i = low; high !== Infinity && i < high; i++) first = this.put({ either: part(first), or: next });
      for (let i = 0; i < low; i++) first = part(first);
      return first;
    };
  }

  private loop(part: Build, next: number): number {
    const here = this.put({ either: 0, or: next });
    this.steps[here] = { either: part(here), or: next };
    return here;
  }

  private part(flags: string): Build {
    if (this.take(/\(\?<!\[\^\]\)/y)) return this.place((_, i) => i === 0);
    if (this.take(/\(\?!\[\^\]\)/y)) return this.place((s, i) => i === s.length);
    const group = this.take(/\((?:\?<\w+>|\?([ims]*)(?:-([ims]+))?:)?/y);
    if (group) {
      const inner = this.all([...new Set(flags + (group[1] ?? ''))].filter((f) => !group[2]?.includes(f)).join(''));
      this.at++; // its )
      return inner;
    }
    if (this.take(/\^/y)) return this.place((s, i) => i === 0 || (flags.includes('m') && s[i - 1] === '\n'));
    if (this.take(/\$/y)) return this.place((s, i) => i === s.length || (flags.includes('m') && s[i] === '\n'));
    if (this.take(/\\b/y)) return this.place(edge);
    if (this.take(/\\B/y)) return this.place((s, i) => !edge(s, i));
    const one = this.take(/\[(?:\\.|[^\]\\])*\]|\\(?:u\{[^}]*\}|x..|[pP]\{[^}]*\}|.)|./suy)![0];
    const takes = taker(one, flags);
    return (next) => this.put({ takes, next });
  }

  private place(at: (s: string, i: number) => boolean): Build {
    return (next) => this.put({ at, next });
  }
}

const letter = (c: string | undefined): boolean => c !== undefined && /\w/.test(c);
const edge = (s: string, i: number): boolean => letter(s[i - 1]) !== letter(s[i]);

/** taker tells whether a character is one of those that stand for it. */
function taker(one: string, flags: string): (c: string) => boolean {
  const folds = flags.includes('i');
  if (!folds && !/^[\\[.]/.test(one)) return (c) => c === one;
  const expression = new RegExp(`^${one}$`, 'u' + (folds ? 'i' : '') + (one === '.' && flags.includes('s') ? 's' : ''));
  const known = new Map<string, boolean>();
  return (c) => {
    let is = known.get(c);
    if (is === undefined) known.set(c, (is = expression.test(c)));
    return is;
  };
}

function matcher(steps: readonly Step[], first: number): Matcher {
  const seen = new Uint32Array(steps.length); // in which round a step was come to
  let round = 0;
  const stack: number[] = [];
  /** Goes on from a step to all characters that may come next; whether it comes to the end. */
  const follow = (from: number, s: string, i: number, into: number[]): boolean => {
    for (stack.push(from); stack.length > 0; ) {
      const here = stack.pop()!;
      if (seen[here] === round) continue;
      seen[here] = round;
      const step = steps[here]!;
      if (step === 'found') {
        stack.length = 0;
        return true;
      }
      if ('either' in step) stack.push(step.or, step.either);
      else if ('takes' in step) into.push(here);
      else if (step.at(s, i)) stack.push(step.next);
    }
    return false;
  };
  return {
    test(s) {
      let [now, next]: [number[], number[]] = [[], []];
      round++;
      for (let i = 0; ; ) {
        if (follow(first, s, i, now)) return true;
        if (i >= s.length) return false;
        const c = String.fromCodePoint(s.codePointAt(i)!);
        i += c.length;
        round++;
        for (const here of now) {
          const step = steps[here] as { takes: (c: string) => boolean; next: number };
          if (step.takes(c) && follow(step.next, s, i, next)) return true;
        }
        [now, next] = [next, now];
        next.length = 0;
      }
    },
  };
}
