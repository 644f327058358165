"""The worker: turns an episode's audio into a transcript, one job at a time.

Importing this package costs nothing; the modules that need Whisper or FFmpeg import them when used.
"""
