// Factorisations of matrices as JavaScript: each works on one matrix of the batch at a time, in float64, and rounds what it stores.
import type { LibraryRoutine } from '../routines.ts';

/** Texts by routine. `fail(op, text)` throws the error of linear algebra. */
export const linalg: Readonly<Record<Exclude<LibraryRoutine, 'sort'>, { readonly text: string }>> = {
  // Row by row (Cholesky and Banachiewicz); only the lower triangle is read.
  cholesky: {
    text: `
function cholesky(x, factor, batch, n) {
  for (let m = 0; m < batch; m++) {
    const l = new Float64Array(x.subarray(m * n * n, (m + 1) * n * n));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let rest = l[i * n + j];
        for (let k = 0; k < j; k++) rest -= l[i * n + k] * l[j * n + k];
        if (j < i) l[i * n + j] = rest / l[j * n + j];
        else if (rest > 0) l[i * n + i] = Math.sqrt(rest);
        else fail('linalg.cholesky', (batch > 1 ? 'matrix ' + m + ' of the batch' : 'the matrix') + ' is not positive-definite (its leading minor of order ' + (i + 1) + ' is not)');
      }
      l.fill(0, i * n + i + 1, (i + 1) * n);
    }
    factor.set(l, m * n * n);
  }
}`,
  },
  // Gaussian elimination with partial pivoting; row i of L U is row permutation[i] of x.
  lu: {
    text: `
function lu(x, factors, permutation, sign, batch, n, mayBeSingular) {
  for (let m = 0; m < batch; m++) {
    const a = new Float64Array(x.subarray(m * n * n, (m + 1) * n * n));
    const order = Int32Array.from({ length: n }, (_, i) => i);
    let parity = 1;
    for (let k = 0; k < n; k++) {
      let p = k;
      for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]) > Math.abs(a[p * n + k])) p = i;
      if (p !== k) {
        const row = a.slice(k * n, (k + 1) * n);
        a.copyWithin(k * n, p * n, (p + 1) * n);
        a.set(row, p * n);
        [order[k], order[p]] = [order[p], order[k]];
        parity = -parity;
      }
      const pivot = a[k * n + k];
      if (pivot === 0) {
        if (mayBeSingular) continue;
        fail('linalg', (batch > 1 ? 'matrix ' + m + ' of the batch' : 'the matrix') + ' is singular (pivot ' + (k + 1) + ' of its elimination is zero): it has no inverse, and a system with it no unique solution');
      }
      for (let i = k + 1; i < n; i++) {
        const factor = (a[i * n + k] /= pivot);
        for (let j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
      }
    }
    factors.set(a, m * n * n);
    permutation.set(order, m * n);
    sign[m] = parity;
  }
}`,
  },
  // Substitution, a row of unknowns after the other; the other triangle of a is not read.
  triangularSolve: {
    text: `
function triangularSolve(a, y, x, batch, n, columns, upper, transpose, unit) {
  const fromEnd = upper !== transpose;
  for (let m = 0; m < batch; m++) {
    const z = new Float64Array(y.subarray(m * n * columns, (m + 1) * n * columns));
    const at = m * n * n;
    for (let step = 0; step < n; step++) {
      const i = fromEnd ? n - 1 - step : step;
      if (!unit) for (let c = 0; c < columns; c++) z[i * columns + c] /= a[at + i * n + i];
      for (let later = step + 1; later < n; later++) {
        const j = fromEnd ? n - 1 - later : later;
        const factor = transpose ? a[at + i * n + j] : a[at + j * n + i];
        for (let c = 0; c < columns; c++) z[j * columns + c] -= factor * z[i * columns + c];
      }
    }
    x.set(z, m * n * columns);
  }
}`,
  },
  // Householder reflections I - tau v v', with LAPACK's signs (dgeqrf): v lies below the diagonal of R, its first element is 1.
  qr: {
    text: `
function qr(x, q, r, batch, rows, columns, complete) {
  const width = complete ? rows : columns;
  for (let m = 0; m < batch; m++) {
    const a = new Float64Array(x.subarray(m * rows * columns, (m + 1) * rows * columns));
    const taus = new Float64Array(columns);
    const reflect = (k, into, stride, from) => {
      for (let j = from; j < stride; j++) {
        let along = into[k * stride + j];
        for (let i = k + 1; i < rows; i++) along += a[i * columns + k] * into[i * stride + j];
        along *= taus[k];
        into[k * stride + j] -= along;
        for (let i = k + 1; i < rows; i++) into[i * stride + j] -= a[i * columns + k] * along;
      }
    };
    for (let k = 0; k < columns; k++) {
      let below = 0;
      for (let i = k + 1; i < rows; i++) below = Math.hypot(below, a[i * columns + k]);
      if (below === 0) continue;
      const head = a[k * columns + k];
      const image = head < 0 ? Math.hypot(head, below) : -Math.hypot(head, below);
      taus[k] = (image - head) / image;
      for (let i = k + 1; i < rows; i++) a[i * columns + k] /= head - image;
      a[k * columns + k] = image;
      reflect(k, a, columns, k + 1);
    }
    for (let i = 0; i < width; i++)
      for (let j = 0; j < columns; j++) r[(m * width + i) * columns + j] = j < i ? 0 : a[i * columns + j];
    const basis = new Float64Array(rows * width);
    for (let i = 0; i < width; i++) basis[i * width + i] = 1;
    for (let k = columns - 1; k >= 0; k--) reflect(k, basis, width, k);
    q.set(basis, m * rows * width);
  }
}`,
  },
  // Jacobi's rotations until no element off the diagonal counts beside those on it; only the lower triangle is read. Each vector's largest element is positive.
  eigh: {
    text: `
function eigh(x, values, vectors, batch, n) {
  for (let m = 0; m < batch; m++) {
    let size = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) size = Math.max(size, Math.abs(x[(m * n + i) * n + j]));
    if (!Number.isFinite(size)) fail('linalg.eigh', (batch > 1 ? 'matrix ' + m + ' of the batch' : 'the matrix') + ' holds a value that is not finite');
    const scale = size === 0 ? 1 : 2 ** Math.max(-1000, Math.floor(Math.log2(size)));
    const a = new Float64Array(n * n);
    const v = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      v[i * n + i] = 1;
      for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = x[(m * n + i) * n + j] / scale;
    }
    let turns = 1;
    for (let sweep = 0; turns > 0; sweep++) {
      if (sweep === 100) fail('linalg.eigh', 'the rotations did not converge');
      turns = 0;
      for (let p = 0; p < n; p++) {
        for (let q = p + 1; q < n; q++) {
          const off = a[p * n + q];
          if (Math.abs(off) <= 2 ** -54 * Math.min(Math.abs(a[p * n + p]), Math.abs(a[q * n + q]))) continue;
          turns++;
          const theta = (a[q * n + q] - a[p * n + p]) / (2 * off);
          const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
          const c = 1 / Math.hypot(t, 1);
          const s = t * c;
          const down = a[p * n + p] - t * off;
          const up = a[q * n + q] + t * off;
          for (let k = 0; k < n; k++) {
            const [g, h, u, w] = [a[p * n + k], a[q * n + k], v[p * n + k], v[q * n + k]];
            a[p * n + k] = a[k * n + p] = c * g - s * h;
            a[q * n + k] = a[k * n + q] = s * g + c * h;
            v[p * n + k] = c * u - s * w;
            v[q * n + k] = s * u + c * w;
          }
          a[p * n + p] = down;
          a[q * n + q] = up;
          a[p * n + q] = a[q * n + p] = 0;
        }
      }
    }
    const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[i * n + i] - a[j * n + j]);
    for (let j = 0; j < n; j++) {
      const vector = v.subarray(order[j] * n, (order[j] + 1) * n);
      const largest = vector.reduce((best, e) => (Math.abs(e) > Math.abs(best) ? e : best), 0);
      values[m * n + j] = a[order[j] * n + order[j]] * scale;
      for (let i = 0; i < n; i++) vectors[(m * n + i) * n + j] = largest < 0 ? -vector[i] : vector[i];
    }
  }
}`,
  },
  // One-sided Jacobi (Hestenes): rotates the shorter side's vectors until they are orthogonal, which keeps small singular values
  // accurate. Beside a largest element of about 1, a norm below 2^-480 is zero. Vectors of a zero value, and those that complete a basis, are made from the axis that the basis covers least.
  // Each left vector's largest element is positive.
  svd: {
    text: `
function svd(x, u, s, vh, batch, rows, columns, full) {
  const wide = rows < columns;
  const long = wide ? columns : rows;
  const short = wide ? rows : columns;
  const dot = (a, i, b, j, length) => {
    let sum = 0;
    for (let k = 0; k < length; k++) sum += a[i * length + k] * b[j * length + k];
    return sum;
  };
  const rotate = (a, i, j, length, cosine, sine) => {
    for (let k = 0; k < length; k++) {
      const [g, h] = [a[i * length + k], a[j * length + k]];
      a[i * length + k] = cosine * g - sine * h;
      a[j * length + k] = sine * g + cosine * h;
    }
  };
  const complete = (basis, known, length) => {
    const covered = new Float64Array(length);
    for (let i = 0; i < known; i++) for (let k = 0; k < length; k++) covered[k] += basis[i * length + k] ** 2;
    const next = basis.subarray(known * length, (known + 1) * length).fill(0);
    next[covered.reduce((least, c, k) => (c < covered[least] ? k : least), 0)] = 1;
    for (let pass = 0; pass < 2; pass++)
      for (let i = 0; i < known; i++) {
        const along = dot(basis, i, next, 0, length);
        for (let k = 0; k < length; k++) next[k] -= along * basis[i * length + k];
      }
    const norm = Math.sqrt(dot(next, 0, next, 0, length));
    for (let k = 0; k < length; k++) next[k] /= norm;
  };
  for (let m = 0; m < batch; m++) {
    const at = m * rows * columns;
    let size = 0;
    for (let i = 0; i < rows * columns; i++) size = Math.max(size, Math.abs(x[at + i]));
    if (!Number.isFinite(size)) fail('linalg.svd', (batch > 1 ? 'matrix ' + m + ' of the batch' : 'the matrix') + ' holds a value that is not finite');
    const scale = size === 0 ? 1 : 2 ** Math.max(-1000, Math.floor(Math.log2(size)));
    const a = new Float64Array(short * long);
    const turned = new Float64Array(short * short);
    for (let j = 0; j < short; j++) {
      turned[j * short + j] = 1;
      for (let i = 0; i < long; i++) a[j * long + i] = x[at + (wide ? j * columns + i : i * columns + j)] / scale;
    }
    let turns = 1;
    for (let sweep = 0; turns > 0; sweep++) {
      if (sweep === 100) fail('linalg.svd', 'the rotations did not converge');
      turns = 0;
      for (let i = 0; i < short; i++) {
        for (let j = i + 1; j < short; j++) {
          const [ii, jj, ij] = [dot(a, i, a, i, long), dot(a, j, a, j, long), dot(a, i, a, j, long)];
          if (Math.min(ii, jj) < 2 ** -960 || Math.abs(ij) <= Math.max(8, long) * 2 ** -53 * Math.sqrt(ii) * Math.sqrt(jj)) continue;
          turns++;
          const zeta = (jj - ii) / (2 * ij);
          const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(zeta, 1));
          const cosine = 1 / Math.hypot(t, 1);
          rotate(a, i, j, long, cosine, t * cosine);
          rotate(turned, i, j, short, cosine, t * cosine);
        }
      }
    }
    const norms = Array.from({ length: short }, (_, i) => Math.sqrt(dot(a, i, a, i, long))).map((norm) => (norm < 2 ** -480 ? 0 : norm));
    const order = norms.map((_, i) => i).sort((i, j) => norms[j] - norms[i]);
    const [count, other] = full ? [long, short] : [short, short];
    const left = new Float64Array(count * long);
    const right = new Float64Array(other * short);
    for (let i = 0; i < count; i++) {
      const norm = i < short ? norms[order[i]] : 0;
      if (norm > 0) for (let k = 0; k < long; k++) left[i * long + k] = a[order[i] * long + k] / norm;
      else complete(left, i, long);
      if (i < short) right.set(turned.subarray(order[i] * short, (order[i] + 1) * short), i * short);
      if (i < short) s[m * short + i] = norm * scale;
      const [first, length] = wide && i < short ? [right, short] : [left, long];
      let largest = 0;
      for (let k = 0; k < length; k++) if (Math.abs(first[i * length + k]) > Math.abs(largest)) largest = first[i * length + k];
      if (largest >= 0) continue;
      for (let k = 0; k < long; k++) left[i * long + k] *= -1;
      if (i < short) for (let k = 0; k < short; k++) right[i * short + k] *= -1;
    }
    const [us, vs] = wide ? [right, left] : [left, right];
    const [widthU, widthV] = full ? [rows, columns] : [short, short];
    for (let i = 0; i < rows; i++) for (let j = 0; j < widthU; j++) u[(m * rows + i) * widthU + j] = us[j * rows + i];
    vh.set(vs, m * widthV * columns);
  }
}`,
  },
};
