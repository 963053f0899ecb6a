// Images: the files of MNIST's family and of CIFAR, and pictures of samples.
//
//   const data::ImageSet train = data::load_mnist("/usr/share/datasets/fashion-mnist", true);
//   const Tensor x = train.images.to(DType::f32) / 255;      // (60000, 1, 28, 28)
//
// Readers trust nothing: sizes that a file states are compared with the bytes that are there before
// memory is taken, and errors (IoError) name the file.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <span>
#include <string>

namespace adjoint::data {

// An array in the IDX format of yann.lecun.com/exdb/mnist, plain or within gzip: u8, i32, f32 and
// f64 as they are, bytes with a sign and shorts as i32.
Tensor load_idx(const std::string& path);

struct ImageSet {
  Tensor images;  // (N, C, H, W) u8
  Tensor labels;  // (N) i64
  int64_t classes = 10;
};

// MNIST or a set of its shape (Fashion-MNIST, KMNIST) from a folder that has
// train-images-idx3-ubyte and train-labels-idx1-ubyte, or t10k-... for the test set, with or
// without ".gz". IoError where a file is missing, or the two disagree.
ImageSet load_mnist(const std::string& folder, bool train);

// CIFAR-10's binary files (cs.toronto.edu/~kriz/cifar.html: a label and 32x32 red, green and blue
// bytes for each image), one after the other: (N, 3, 32, 32).
ImageSet load_cifar10(std::span<const std::string> paths);

// (N, C, H, W) side by side, `columns` to a row, with a border of `padding` zeros around each:
// (C, rows (H + padding) + padding, columns (W + padding) + padding). As torchvision's make_grid.
Tensor image_grid(const Tensor& images, int64_t columns = 8, int64_t padding = 2);

// Writes (H, W), (1, H, W) or (3, H, W) as a PNG file, atomically: u8 as it is, floating numbers
// from 0 to 1, with what is outside cut off. ShapeError for other shapes.
void write_png(const std::string& path, const Tensor& image);

}  // namespace adjoint::data
