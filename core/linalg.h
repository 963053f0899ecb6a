// Matrix products, linear layers in one sweep, sums of products by index, and what is computed from
// the factors of matrices: the functions of torch.linalg.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

namespace adjoint {

// A matrix that cannot be factorised: singular, not positive definite, or not finite.
class LinAlgError : public Error {
 public:
  using Error::Error;
};

// --- products of matrices and vectors ---
// Of one floating dtype, or of whole numbers of one, which wrap around; not of bool. DTypeError
// otherwise, as in PyTorch, which however refuses f32 with bf16 or f16: here these mix, for weights
// are kept in either, and the result is of what they promote to. This holds for linear layers,
// products by index, convolutions and attention too.

// As torch.matmul: (k)(k), (m,k)(k), (k)(k,n), (m,k)(k,n), and batches that broadcast.
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor bmm(const Tensor& a, const Tensor& b);  // (b,m,k)(b,k,n)
Tensor mm(const Tensor& a, const Tensor& b);   // (m,k)(k,n)
Tensor mv(const Tensor& a, const Tensor& b);   // (m,k)(k)
Tensor dot(const Tensor& a, const Tensor& b);  // (k)(k)
// Sums over the last dimension of both: (..., k)(..., k); a 0-dimensional tensor multiplies.
Tensor inner(const Tensor& a, const Tensor& b);
// beta input + alpha (product), input broadcast to the product's shape; with beta = 0 it does not
// count, not even a NaN in it. Of whole numbers with whole factors: ConfigError.
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
             double alpha = 1);
Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
             double alpha = 1);
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
               double alpha = 1);
// x (..., n, n) to the power of n, by squaring; negative powers are those of the inverse.
Tensor matrix_power(const Tensor& x, int64_t n);
// exp of matrices, the sum of x^k / k!, by scaling, a polynomial of degree 16, and squaring;
// floating dtypes.
Tensor matrix_exp(const Tensor& x);
// The product of all, in the order of the fewest multiplications: matrices, of which the first and
// the last may be vectors; one dtype.
Tensor multi_dot(std::span<const Tensor> tensors);
inline Tensor multi_dot(std::initializer_list<Tensor> tensors) {
  return multi_dot(std::span<const Tensor>(tensors.begin(), tensors.size()));
}

// --- linear layers ---
// x w^T + bias: x (..., in), w (out, in), bias (out) or undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// linear(x, weight, bias) + residual in one sweep, with the same bits: residual (..., out), of the
// product's shape. Where the product is of bf16 or the residual of another dtype, it is those two
// operators. ShapeError and DTypeError as linear, and for a residual that does not fit.
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& residual);
enum class Activation { relu, gelu, gelu_tanh, silu };  // gelu is of Gelu::erf
const char* name(Activation activation);                // "relu", ...
// activation(linear(x, weight, bias)) in one sweep, forward and backward; the same bits forward.
Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         Activation activation);

// --- products by index ---
Tensor outer(const Tensor& a, const Tensor& b);  // (m)(n) -> (m, n); any dtype
Tensor kron(const Tensor& a, const Tensor& b);   // blocks a[i, j] b, any rank; any dtype
Tensor trace(const Tensor& x);                   // (m, n); any dtype
// Of the vectors of three numbers along dim, as torch.linalg.cross; other sizes broadcast.
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim = -1);
// Matrices (vectors: of one row; numbers) on the diagonal of one, zeros elsewhere; any dtype.
Tensor block_diag(std::span<const Tensor> tensors);
inline Tensor block_diag(std::initializer_list<Tensor> tensors) {
  return block_diag(std::span<const Tensor>(tensors.begin(), tensors.size()));
}
// Sums over the last `dims` dimensions of a and the first of b, or over pairs of dimensions.
Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims = 2);
Tensor tensordot(const Tensor& a, const Tensor& b, const Shape& a_dims, const Shape& b_dims);
// As torch.einsum: "bij,bjk->bik", "ii", "...ij->...ji". Letters name dimensions; "..." stands for
// those that are not named and broadcast; a letter twice in a term is a diagonal; without "->" the
// letters that appear once are kept, in alphabetical order (capitals first). Products of more than
// two tensors are made in the order that costs the fewest multiplications (greedily beyond five).
Tensor einsum(const std::string& equation, std::span<const Tensor> operands);
inline Tensor einsum(const std::string& equation, std::initializer_list<Tensor> operands) {
  return einsum(equation, std::span<const Tensor>(operands.begin(), operands.size()));
}

// --- factors of matrices; f32 and f64, as in PyTorch on CPUs ---
// Matrices are the last two dimensions, and all before them a batch, which is divided between
// threads. A matrix that has no such factors is a LinAlgError that names the item of the batch.

// X with A X = B (left) or X A = B, where A (..., n, n) is triangular and only that triangle is
// read; `unitriangular`: nor its diagonal, which is ones. Batches broadcast. Zeros on the diagonal
// give infinities and NaN.
Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left = true,
                        bool unitriangular = false);
// The same in the words of torch.triangular_solve: A X = B, or A^T X = B; the solution only.
Tensor triangular_solve(const Tensor& b, const Tensor& a, bool upper = true, bool transpose = false,
                        bool unitriangular = false);
// L with L L^T = A, or U with U^T U = A. Reads the triangle that it returns; its gradient is
// symmetric.
Tensor cholesky(const Tensor& a, bool upper = false);
// X with A X = B, and A^-1, where A = L L^T (U^T U): only that triangle of the factor is read.
Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper = false);
Tensor cholesky_inverse(const Tensor& factor, bool upper = false);
// X with A X = B, or X A = B. B is a vector for each item where its shape is that of A without the
// last size, or one dimension; otherwise a matrix. Batches broadcast.
Tensor solve(const Tensor& a, const Tensor& b, bool left = true);
Tensor inverse(const Tensor& a);
// Its derivatives are right for singular matrices too; from the third on, where they are recorded,
// those of matrices close to singular take n products of matrices.
Tensor det(const Tensor& a);
struct SignAndLogabsdet {
  Tensor sign, logabsdet;
};
SignAndLogabsdet slogdet(const Tensor& a);  // 0 and -inf for a singular matrix
Tensor logdet(const Tensor& a);             // NaN for a negative determinant
// A (m, n) = Q R with R's diagonal of the signs that Householder's reflectors give (LAPACK's).
// `complete`: Q (m, m), without gradient where m > n; `reduced`: Q (m, min(m, n)).
enum class QrMode { reduced, complete };
struct QrFactors {
  Tensor q, r;
};
QrFactors qr(const Tensor& a, QrMode mode = QrMode::reduced);
// A = V diag(w) V^T, w ascending; reads the lower triangle, or the upper where uplo is 'U'. The
// sign of an eigenvector is arbitrary. Its gradient is not finite where eigenvalues are equal, and
// meaningless for functions that depend on the sign.
struct EigenPairs {
  Tensor eigenvalues, eigenvectors;
};
EigenPairs eigh(const Tensor& a, char uplo = 'L');
Tensor eigvalsh(const Tensor& a, char uplo = 'L');
// A (m, n) = U diag(s) Vh, s descending; U (m, m) and Vh (n, n), or (m, k) and (k, n), k = min(m,
// n) without full_matrices. What is said of eigenvectors holds for pairs of singular vectors; those
// of U beyond n (of Vh beyond m) may be turned among themselves besides.
struct SvdFactors {
  Tensor u, s, vh;
};
SvdFactors svd(const Tensor& a, bool full_matrices = true);
Tensor svdvals(const Tensor& a);
// The pseudo-inverse; singular values up to max(atol, rtol * the largest) count as zero. rtol is
// max(m, n) epsilon, or 0 where atol is given and positive.
Tensor pinv(const Tensor& a, std::optional<double> atol = std::nullopt,
            std::optional<double> rtol = std::nullopt);
// The X (..., n, k) that makes |A X - B| least, of those the smallest, for A (..., m, n) and B
// (..., m, k), or a vector for each item. Singular values up to rcond times the largest count as
// zero; rcond is max(m, n) epsilon. residuals: the least squares, (..., k), where m > n and every
// rank is n, else empty. rank (i64) and singular_values have no gradient. driver: "gelsy"; "gelsd"
// and "gelss" give singular_values too, which are empty else; "gels" takes the rank to be full, and
// gives neither (an empty rank).
struct LeastSquares {
  Tensor solution, residuals, rank, singular_values;
};
LeastSquares lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond = std::nullopt,
                   const std::string& driver = "gelsy");
// How many singular values (sizes of eigenvalues, if `hermitian`) are above max(atol, rtol * the
// largest), with pinv's defaults; i64, no gradient.
Tensor matrix_rank(const Tensor& a, std::optional<double> atol = std::nullopt,
                   std::optional<double> rtol = std::nullopt, bool hermitian = false);
// Of the matrices in two dimensions: "fro" (any floating dtype), "nuc"; 1 and -1, inf and -inf: the
// largest and smallest sum of magnitudes of a column, of a row (any floating dtype); 2 and -2: the
// largest and smallest singular value.
Tensor matrix_norm(const Tensor& a, const std::string& ord = "fro", const Shape& dim = {-2, -1},
                   bool keepdim = false);
Tensor matrix_norm(const Tensor& a, double ord, const Shape& dim = {-2, -1}, bool keepdim = false);

}  // namespace adjoint
