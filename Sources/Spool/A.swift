// placeholder until the layer is written
