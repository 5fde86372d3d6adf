"""From a neutral document to bytes: html, pdf, and a body for mail.

Belongs here: rendering of documents. Does not belong here: figures, sentences, and sending.
"""
