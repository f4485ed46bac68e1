# Stand-ins for the firmware's modules: frozen, so that they take hardly any heap, as on a camera.
freeze("modules")
