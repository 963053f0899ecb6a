// train_mlp: trains a perceptron on images.
#include <adjoint/models/mlp.h>

#include "models/train/image_training.h"

int main(int argc, char** argv) {
  using namespace adjoint;
  struct : train::ImageSettings {
    int64_t hidden = 512, layers = 2;
  } s;
  s.out = "runs/mlp";
  s.epochs = 12;
  s.batch_size = 128;
  s.lr = 2e-3;
  s.weight_decay = 0.02;
  s.dropout = 0.2;
  train::OptionTable table("train_mlp", "Trains a perceptron to tell what images show.");
  train::add_image_options(table, s);
  table.section("Model");
  table.add("hidden", &s.hidden, "N", "width of a hidden layer", {.least = 1, .most = 1 << 16});
  table.add("layers", &s.layers, "N", "hidden layers", {.least = 0, .most = 1000});
  train::add_dropout(table, s);
  return train::classifier_main(argc, argv, table, s, [&](const train::ImageData& data) {
    const models::MlpOptions options{.in_features = data.pixels(),
                                     .hidden = s.hidden,
                                     .layers = s.layers,
                                     .classes = data.train.classes,
                                     .dropout = s.dropout};
    return train::Classifier{std::make_unique<models::Mlp>(options), options.to_json()};
  });
}
