// The register type that kernels are written with, for the instruction set being compiled.
//
// Vec<float> and Vec<double> fill a register; any other Vec<T> has one lane, so a kernel written
// once serves every dtype. Types of storage have the register of what they are computed in:
// Register<bfloat16> is Vec<float>, which loads and stores both, Register<int32_t> Vec<int64_t>.
// Mask<T> is what comparisons of Vec<T> give. VecU32 has as many lanes as Vec<float>. math.h adds
// exp, log and their kin.
//
// Scalars convert to Vec silently, from any literal (0.5 in a Vec<float> is rounded once), so
// `1.0 / (1.0 + exp(-x))` is an expression over Vec<float>, Vec<double> and Tensor alike.
#pragma once

#if !defined(ADJOINT_ISA)
#error "core/simd is for kernel stubs: ADJOINT_ISA names the instruction set they are compiled for"
#endif

#include "core/simd/vec_scalar.h"

#if defined(ADJOINT_ISA_AVX512)
#include "core/simd/vec_avx512.h"
#elif defined(ADJOINT_ISA_AVX2)
#include "core/simd/vec_avx2.h"
#elif defined(ADJOINT_ISA_NEON)
#include "core/simd/vec_neon.h"
#endif
