#include <adjoint/core/comparisons.h>
#include <adjoint/core/error.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/file.h>
#include <adjoint/core/gzip.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/data/images.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "tests/temporary_folder.h"

namespace adjoint::data {
namespace {

using namespace std::string_literals;

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string idx(char type, const std::vector<uint32_t>& sizes, const std::string& elements) {
  std::string file = "\0\0"s + type + static_cast<char>(sizes.size());
  for (const uint32_t size : sizes) file += big_endian(size);
  return file + elements;
}

template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Idx, EveryType) {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& bytes) { return load_idx(folder.write("x", bytes)); };
  EXPECT_TRUE(equal(load(idx(8, {2, 1, 2}, "\x01\x02\x03\xff")),
                    tensor<uint8_t>({1, 2, 3, 255}).reshape({2, 1, 2})));
  EXPECT_TRUE(equal(load(idx(9, {2}, "\x01\xfe")), tensor<int32_t>({1, -2})));
  EXPECT_TRUE(equal(load(idx(0x0B, {2}, "\x01\x02\xff\xfe")), tensor<int32_t>({258, -2})));
  EXPECT_TRUE(equal(load(idx(0x0C, {1}, "\x01\x02\x03\x04")), tensor<int32_t>({0x01020304})));
  EXPECT_TRUE(equal(load(idx(0x0D, {1}, "\x3f\x80\0\0"s)), tensor<float>({1})));
  EXPECT_TRUE(equal(load(idx(0x0E, {1}, "\xc0\0\0\0\0\0\0\0"s)), tensor<double>({-2})));
  EXPECT_EQ(load(idx(8, {0, 28}, "")).shape(), (Shape{0, 28}));
}

TEST(Idx, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  const std::string path = folder.path("x");
  const auto message = [&](const std::string& bytes) {
    folder.write("x", bytes);
    return error_of([&] { load_idx(path); });
  };
  EXPECT_EQ(message("PK\3\4"), path + ": not an IDX file; expected it to begin with two bytes 0");
  EXPECT_EQ(message(idx(7, {1}, "a")), path + ": elements of the unknown type 7");
  EXPECT_EQ(message(idx(8, {2, 3}, "abcde")), path + ": 5 bytes of elements; expected 6");
  EXPECT_EQ(message(idx(8, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "")),
            path + ": more elements than there can be");
  EXPECT_EQ(message("\0\0\x08\x09"s + std::string(36, '\0')),
            path + ": 9 dimensions in 40 bytes; expected at most 8");
  const std::string whole = idx(8, {2, 2}, "abcd");
  for (size_t n = 0; n < whole.size(); ++n) {
    folder.write("x", whole.substr(0, n));
    EXPECT_THROW(load_idx(path), IoError) << n;
  }
}

TEST(Mnist, PairsImagesAndLabels) {
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte", idx(8, {2, 2, 2}, "abcdefgh"));
  folder.write("train-labels-idx1-ubyte", idx(8, {2}, "\x03\x09"));
  const ImageSet set = load_mnist(folder.root(), true);
  EXPECT_EQ(set.images.shape(), (Shape{2, 1, 2, 2}));
  EXPECT_TRUE(equal(set.labels, tensor<int64_t>({3, 9})));

  const std::string labels = folder.path("train-labels-idx1-ubyte");
  folder.write("train-labels-idx1-ubyte", idx(8, {2}, "\x03\x0a"));
  EXPECT_EQ(error_of([&] { load_mnist(folder.root(), true); }),
            labels + ": a label of 10; expected 0 to 9");
  folder.write("train-labels-idx1-ubyte", idx(8, {1}, "\x03"));
  EXPECT_EQ(error_of([&] { load_mnist(folder.root(), true); }),
            labels + ": 1 labels for 2 images of " + folder.path("train-images-idx3-ubyte"));
  EXPECT_EQ(error_of([&] { load_mnist(folder.root(), false); }),
            folder.path("t10k-images-idx3-ubyte") +
                ": no such file, nor with .gz; expected a folder with the files of MNIST");
}

TEST(Cifar, LabelsAndPlanes) {
  const TemporaryFolder folder;
  std::string record =
      "\x07"s + std::string(1024, '\1') + std::string(1024, '\2') + std::string(1024, '\3');
  const std::vector<std::string> paths = {folder.write("a", record),
                                          folder.write("b", record + record)};
  const ImageSet set = load_cifar10(paths);
  EXPECT_EQ(set.images.shape(), (Shape{3, 3, 32, 32}));
  EXPECT_TRUE(equal(set.labels, tensor<int64_t>({7, 7, 7})));
  EXPECT_TRUE(equal(set.images.select(1, 2), full({3, 32, 32}, 3, DType::u8)));
  const std::vector<std::string> odd = {folder.write("c", record + "x")};
  EXPECT_EQ(error_of([&] { load_cifar10(odd); }),
            odd[0] + ": 3074 bytes; expected a multiple of 3073");
}

TEST(ImageGrid, BordersAroundEach) {
  const Tensor images = arange(12).to(DType::f32).reshape({3, 1, 2, 2}) + 1;
  const Tensor grid = image_grid(images, 2, 1);
  EXPECT_TRUE(equal(grid, tensor<float>({0, 0,  0,  0, 0, 0, 0,  //
                                         0, 1,  2,  0, 5, 6, 0,  //
                                         0, 3,  4,  0, 7, 8, 0,  //
                                         0, 0,  0,  0, 0, 0, 0,  //
                                         0, 9,  10, 0, 0, 0, 0,  //
                                         0, 11, 12, 0, 0, 0, 0,  //
                                         0, 0,  0,  0, 0, 0, 0})
                              .reshape({1, 7, 7})));
}

// A PNG of one pixel row, byte for byte as the standard lays it out (PNG, third edition).
TEST(Png, IsWrittenAsTheStandardSays) {
  const TemporaryFolder folder;
  const std::string path = folder.path("x.png");
  write_png(path, tensor<float>({0, 0.5, 2}).reshape({1, 1, 3}));
  const std::string file = io::read_text(path);
  EXPECT_EQ(file.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(file.substr(8, 25), big_endian(13) + "IHDR" + big_endian(3) + big_endian(1) +
                                    "\x08\0\0\0\0"s + big_endian(0x3E8B4B68));
  const std::string image = file.substr(33);
  EXPECT_EQ(image.substr(4, 4), "IDAT");
  const std::string packed = image.substr(8, image.size() - 8 - 4 - 12);
  const std::vector<std::byte> rows =
      io::zlib_decompress(std::as_bytes(std::span(packed)), "png", 100);
  EXPECT_EQ(rows,
            (std::vector<std::byte>{std::byte{0}, std::byte{0}, std::byte{128}, std::byte{255}}));
  EXPECT_EQ(file.substr(file.size() - 12), big_endian(0) + "IEND" + big_endian(0xAE426082));
  EXPECT_THROW(write_png(path, zeros({2, 3, 4})), ShapeError);
}

TEST(Mnist, FashionMnistAsDebianHasIt) {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no " << folder << ": Debian's package dataset-fashion-mnist is not installed";
  }
  const ImageSet test = load_mnist(folder, false);
  EXPECT_EQ(test.images.shape(), (Shape{10000, 1, 28, 28}));
  for (int64_t k = 0; k < 10; ++k) {  // 1,000 of each class, as its authors say
    EXPECT_EQ(sum(test.labels == k).item(), 1000) << k;
  }
}

}  // namespace
}  // namespace adjoint::data
