import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** No eigenvalue below this: small against any that matters, large against the rounding of a Cholesky factor. */
const LEAST_EIGENVALUE = 1e-4;
const MOST_STEPS = 200;
const CLOSE_ENOUGH = 1e-7;

/**
 * The correlation matrix that is nearest in the Frobenius norm: alternating projections on matrices without negative eigenvalues and on
 * those of unit diagonal, with Dykstra's correction (Higham 2002, "Computing the nearest correlation matrix", Algorithm 3.3).
 * Then eigenvalues are raised to 10⁻⁴ and the diagonal scaled back to 1, so that it is positive definite.
 * @param matrix symmetric, finite, unit diagonal.
 */
export function nearestCorrelation(matrix: Matrix): Matrix {
  let near = matrix.clone();
  let correction = Matrix.zeros(matrix.rows, matrix.rows);
  for (let step = 0; step < MOST_STEPS; step++) {
    const corrected = Matrix.sub(near, correction);
    const positive = withEigenvalues(corrected, 0);
    correction = Matrix.sub(positive, corrected);
    const next = positive.clone();
    for (let i = 0; i < next.rows; i++) next.set(i, i, 1);
    const moved = Matrix.sub(next, near).norm('frobenius');
    near = next;
    if (moved <= CLOSE_ENOUGH * near.norm('frobenius')) break;
  }
  return unitDiagonal(withEigenvalues(near, LEAST_EIGENVALUE));
}

function withEigenvalues(matrix: Matrix, least: number): Matrix {
  const { realEigenvalues, eigenvectorMatrix: vectors } = new EigenvalueDecomposition(matrix, {
    assumeSymmetric: true,
  });
  if (realEigenvalues.every((value) => value >= least)) return matrix.clone();
  const scaled = vectors.clone();
  realEigenvalues.forEach((value, column) => {
    scaled.mulColumn(column, Math.max(least, value));
  });
  const product = scaled.mmul(vectors.transpose());
  // Symmetric to the last bit, as the next decomposition takes it to be.
  return Matrix.add(product, product.transpose()).mul(0.5);
}

function unitDiagonal(matrix: Matrix): Matrix {
  const deviations = matrix.diagonal().map(Math.sqrt);
  const out = matrix.clone();
  for (let i = 0; i < out.rows; i++)
    for (let j = 0; j < out.rows; j++)
      out.set(i, j, i === j ? 1 : matrix.get(i, j) / ((deviations[i] as number) * (deviations[j] as number)));
  return out;
}

/** L with L·Lᵀ = matrix, rows one after the other; undefined unless the matrix is positive definite. */
export function choleskyFactor(matrix: Matrix): Float64Array | undefined {
  const decomposition = new CholeskyDecomposition(matrix);
  return decomposition.isPositiveDefinite()
    ? Float64Array.from(decomposition.lowerTriangularMatrix.to1DArray())
    : undefined;
}
